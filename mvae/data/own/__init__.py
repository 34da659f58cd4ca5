"""Data of one's own: arrays, frames and files become data sets, with columns in roles, scaled and split."""
