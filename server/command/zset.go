package command

func sortedSetSpecs() []*Spec { return nil }
