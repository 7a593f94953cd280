"""What pages draw: places, paths and colours as attributes of SVG."""
