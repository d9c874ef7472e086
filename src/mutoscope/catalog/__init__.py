"""What can be run and what it costs: models from the settings, their input schemas from the provider, pure quotes."""
