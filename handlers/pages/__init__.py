"""Pages of the service itself: its front page, and what each problem means."""
