"""The layers that hyperparameters choose: norms, activations, initial weights, dropout."""
