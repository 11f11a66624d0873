"""The walls: who may import whom, and what every module owes its reader."""
