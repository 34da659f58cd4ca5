"""The engine of training: stages in, states out; batches, devices, seeds, checkpoints. It knows no method."""
