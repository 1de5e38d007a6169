"""Every setting by subject; `app.settings` puts them together."""
