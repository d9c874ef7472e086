"""What both APIs do with HTTP: forms and uploaded files taken in, server-sent events given out."""
