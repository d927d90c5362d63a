"""Links in, packed pictures and a verdict per link out: polite, resumable, never trusting."""
