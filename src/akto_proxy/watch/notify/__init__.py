"""How people and other systems hear of incidents: channels, what is said on them, and delivery that loses none."""
