"""What any network costs and sees. Takes any `nn.Module`, knows no other wing of the library."""
