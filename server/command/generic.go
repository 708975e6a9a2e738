package command

func genericSpecs() []*Spec { return nil }
