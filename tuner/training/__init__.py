"""The training system: models, mixing, augmentation, optimizers, schedules, the loop. Knows neither Ray nor Optuna."""
