"""The training system: models, mixing, augmentation, optimizers, schedules and the loop. Knows neither Ray nor Optuna."""
