"""The models of a device: brought, checked, kept beside each other, tried and rolled back."""
