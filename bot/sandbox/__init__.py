"""Sandbox, a stand-in for a gateway: what `magpie demo` and `magpie ask --sandbox` talk to, over the wire like any
gateway."""
