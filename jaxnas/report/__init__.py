"""Reports: pages, figures and tables for readers."""
