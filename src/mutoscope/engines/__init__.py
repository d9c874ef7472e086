"""What drives generations: a clock and a dispatcher around ``advance``. The embedded engine needs only the database."""
