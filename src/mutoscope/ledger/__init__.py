"""Credits: grants as lots, holds that are posted or voided once, and immutable transfers that always sum to zero."""
