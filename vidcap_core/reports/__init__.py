"""What is drawn for people: pages, timelines, contact sheets. All text in HTML is escaped in one place."""
