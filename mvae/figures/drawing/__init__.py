"""Style, colours and captions that all figures share."""
