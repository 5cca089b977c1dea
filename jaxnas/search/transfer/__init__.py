"""What earlier tasks taught: tables of one space as sources for a search on another task."""
