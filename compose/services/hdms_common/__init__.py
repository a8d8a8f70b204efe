"""What the HDMS services share: settings, health, connection failures. Each service adds its domain only."""
