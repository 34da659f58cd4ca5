"""The methods: what each makes of its block of the config, its model, its stages and reports of its own."""
