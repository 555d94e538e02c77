"""What the notebook on data augmentation imports."""
