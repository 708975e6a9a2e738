package command

func databaseSpecs() []*Spec { return nil }
