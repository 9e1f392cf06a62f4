"""Pictures of what was counted and measured. Every function takes and returns matplotlib objects and never shows them."""
