"""What a run says of its models: numbers and figures."""
