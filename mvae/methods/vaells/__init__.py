"""VAELLS: transport operators, learned with the networks, are posterior and prior of the latent space."""
