"""The contributors' claim page: static files made from bundles, and a small server to look at them."""
