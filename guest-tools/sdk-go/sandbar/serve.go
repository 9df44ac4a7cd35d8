package sandbar

// Serve serves a component, and returns it, for tests. A module has one: `var component = sandbar.Serve(sandbar.Component{...})`.
func Serve(component Component) *Component {
	component.check()
	if served != nil {
		panic("sandbar.Serve was called before: a module is one component")
	}
	served = &component
	return served
}

var served *Component
