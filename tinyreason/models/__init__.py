"""The base model: how it is loaded, and with which kernels it computes on this machine."""
