package command

func hyperLogLogSpecs() []*Spec { return nil }
