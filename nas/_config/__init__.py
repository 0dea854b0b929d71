"""Where configurations lie (`folders`) and how they are composed (`compose`); `nas.config` is what uses both."""
