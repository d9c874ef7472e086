"""Files that users give us for inputs: kept in the store, their own only, and gone after a while."""
