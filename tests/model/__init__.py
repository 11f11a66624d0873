"""Laws that every detector keeps."""
