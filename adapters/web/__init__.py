"""The local chat page: an adapter like any other, whose platform is a browser."""
