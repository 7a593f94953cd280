"""What requests and answers say, as attributes: pure functions over JSON, which know nothing of how a call is made.

Nothing is imported here, so a program loads only the readers of the SDKs that it uses.
"""
