package command

func bitmapSpecs() []*Spec { return nil }
