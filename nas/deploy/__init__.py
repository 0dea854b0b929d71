"""Hand over what was found: export behind a parity gate, latency verified on the target."""

from nas.deploy.export import Int8, Parity, export_onnx
from nas.deploy.verify import Verification, verify

__all__ = ["Int8", "Parity", "Verification", "export_onnx", "verify"]
