"""What people look at to see how a network trains: activations, gradients and weights, layer by layer."""
