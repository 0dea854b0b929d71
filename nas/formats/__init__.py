"""An `Arch` with folded weights, written as a file that a runtime executes."""
