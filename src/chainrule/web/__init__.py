"""Web pages: their HTML, CSS and JavaScript, and pages bundled into one offline file."""
