package command

func geoSpecs() []*Spec { return nil }
