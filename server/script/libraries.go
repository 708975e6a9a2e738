package script

type loading struct{}
