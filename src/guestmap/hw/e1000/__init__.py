"""Intel's 82540EM network card, with no cable that leads anywhere."""
