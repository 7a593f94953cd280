"""How each dialect of spans names what a row says: one table a file, in the order of `order.py`."""
