"""Random changes to training images: batched on the device, drawn for each image."""
