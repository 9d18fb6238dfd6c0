#error "evenkeel must not include a header of its user's"
