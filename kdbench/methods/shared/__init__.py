"""What several methods use: masks, levels, adapters, losses, schedules."""
