//! What happens when the API server fails.
