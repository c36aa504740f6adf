"""Generated from proto/ by scripts/generate_wire: never edited."""
